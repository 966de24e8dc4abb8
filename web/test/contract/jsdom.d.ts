// The little of jsdom that is used here; its own types would be a package more.
declare module 'jsdom' {
  export class ResourceLoader {
    fetch(url: string, options: object): Promise<Buffer> | null;
  }
  export class VirtualConsole {
    on(event: string, listener: (...args: unknown[]) => void): this;
  }
  export class JSDOM {
    constructor(html: string, options: { url: string; runScripts?: 'dangerously'; pretendToBeVisual?: boolean; resources?: ResourceLoader; virtualConsole?: VirtualConsole });
    readonly window: Window & { eval(code: string): unknown; close(): void } & Record<string, unknown>;
  }
}

import { Problem, problemFrom } from '../core/problem';

export interface Request {
  method?: string;
  body?: unknown;
  contentType?: string;
  accept?: string;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

/** Sends requests below a path, with the caller's token when there is one. */
export class Http {
  /** Is told when the server no longer knows the caller. */
  onUnauthorized: () => void = () => {};
  private token = '';
  private readonly known = new Map<string, { etag: string; text: string }>();

  constructor(
    private readonly base: string,
    private readonly fetcher: typeof fetch = (...args) => fetch(...args),
  ) {}

  /** The token is kept here and nowhere else: it ends with the page. */
  setToken(token: string): void {
    this.token = token;
    this.known.clear();
  }

  async json<T>(path: string, request: Request = {}): Promise<T> {
    const reading = (request.method ?? 'GET') === 'GET';
    const known = reading ? this.known.get(path) : undefined;
    const answer = await this.send(path, { ...request, headers: known ? { 'If-None-Match': known.etag } : {} });
    if (answer.status === 304 && known) return JSON.parse(known.text) as T;

    const text = await answer.text();
    const etag = answer.headers.get('ETag');
    if (reading && etag) this.remember(path, etag, text);

    return JSON.parse(text) as T;
  }

  /** The answer as it is, when it is a good one; else a Problem. */
  async send(path: string, request: Request = {}): Promise<Response> {
    const headers: Record<string, string> = { Accept: request.accept ?? 'application/json', ...request.headers };
    if (this.token) headers['Authorization'] = `Bearer ${this.token}`;
    if (request.body !== undefined) headers['Content-Type'] = request.contentType ?? 'application/json';

    // Rancher, when it is on the way, knows the caller by a cookie and wants this
    // as a sign that its own page asks.
    const csrf = typeof document === 'undefined' ? undefined : /(?:^|; )CSRF=([^;]*)/.exec(document.cookie)?.[1];
    if (csrf) headers['X-Api-Csrf'] = csrf;

    let answer: Response;
    try {
      answer = await this.fetcher(this.base + path, {
        method: request.method ?? 'GET',
        headers,
        body: request.body === undefined ? undefined : JSON.stringify(request.body),
        signal: request.signal,
        cache: 'no-store',
      });
    } catch (error) {
      if (request.signal?.aborted) throw error;
      throw new Problem(0, 'The server cannot be reached', 'The network, a proxy on the way, or the managers may be down. This page tries again by itself.');
    }
    if (answer.ok || answer.status === 304) return answer;

    if (answer.status === 401) this.onUnauthorized();
    throw problemFrom(answer.status, await answer.text().catch(() => ''));
  }

  // The newest few answers are enough: they are those of what is shown.
  private remember(path: string, etag: string, text: string): void {
    this.known.delete(path);
    this.known.set(path, { etag, text });
    if (this.known.size > 40) this.known.delete(this.known.keys().next().value!);
  }
}

/** What went wrong, in the words of the API (RFC 9457) or of the way to it. */

export interface ProblemEntry {
  field?: string;
  value?: unknown;
  detail: string;
  remedy?: string;
}

export class Problem extends Error {
  constructor(
    /** The status of the answer; 0 when there was none. */
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly errors: ProblemEntry[] = [],
  ) {
    super(detail || title);
    this.name = 'Problem';
  }

  /** Whether asking again may help without anybody changing anything. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const titles: Record<number, string> = {
  0: 'The server cannot be reached',
  401: 'You are not logged in',
  403: 'You may not see this',
  404: 'There is no such thing',
  409: 'Somebody else was first',
  422: 'This is refused',
};

/** The problem of an answer. Its text may be anything: proxies answer, too. */
export function problemFrom(status: number, text: string): Problem {
  const plain = titles[status] ?? `The server answered ${status}`;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return new Problem(status, plain, text.trim().startsWith('<') ? '' : text.trim().slice(0, 300));
  }

  const told = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as Record<string, unknown>;
  const words = (key: string) => (typeof told[key] === 'string' ? (told[key] as string) : '');

  return new Problem(
    status,
    // The title of a problem of no type of its own is only the status in words.
    (words('type') !== 'about:blank' && words('title')) || plain,
    // Kubernetes' own refusals have a message instead.
    words('detail') || words('message'),
    Array.isArray(told['errors']) ? (told['errors'] as ProblemEntry[]) : [],
  );
}

/** Anything that was thrown as a problem. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;

  const words = thrown instanceof Error ? thrown.message : String(thrown);

  return thrown instanceof TypeError ? new Problem(0, titles[0]!, words) : new Problem(-1, 'The page failed', words);
}

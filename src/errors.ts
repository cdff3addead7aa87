/** A failure that the user can do something about: what failed, on what, and what to do. Exit code 1. */
export class NettraceError extends Error {
  override readonly name: string = 'NettraceError';
  /** What to do about it. */
  readonly advice: string | undefined;

  constructor(message: string, options: { advice?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.advice = options.advice;
  }
}

/** An option, or a value of one, that makes no sense. Exit code 2. */
export class UsageError extends NettraceError {
  override readonly name = 'UsageError';
}

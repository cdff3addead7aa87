/** In a virtual machine of scripts/vm/run.sh: a software-emulated one is 10 to 15 times slower than a real one. */
export const EMULATED = process.env.NETTRACE_VM !== undefined;

/** There what has no part in the kernel's doing is left out, unless everything is asked for (`--full` of test-all.mjs). */
export const SHORTENED = EMULATED && process.env.NETTRACE_FULL === undefined;

/** And what any kernel shows as well as another, but not without functions, is left out of all but one. */
export const SHOWN_ELSEWHERE = SHORTENED && process.env.NETTRACE_ONE_MACHINE === undefined;

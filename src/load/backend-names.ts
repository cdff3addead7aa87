/** Ways to attach, best first. In a file of its own, so that reading options needs no addon. */
export const BACKENDS = ['kprobe-multi', 'kprobe', 'fentry', 'tracepoint'] as const;
export type Backend = (typeof BACKENDS)[number];

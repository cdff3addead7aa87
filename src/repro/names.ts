/** Names of namespaces: who made them, which of its sessions, which host. */
export const NAMESPACE_NAME = /^nettrace-\d+-\d+-[a-z][a-z0-9-]{0,31}$/;
export const HOST_NAME = /^[a-z][a-z0-9-]{0,31}$/;
export const CASE_NAME = /^[a-z][a-z0-9-]{0,63}$/;

export function namePrefix(pid: number, session: number): string {
  return `nettrace-${pid}-${session}-`;
}

/** Names of namespaces: who made them, which of its sessions, which host. */
export const NAMESPACE_NAME = /^nettrace-\d+-\d+-[a-z][a-z0-9-]{0,31}$/;
export const HOST_NAME = /^[a-z][a-z0-9-]{0,31}$/;
/** A sysctl of the network that the whole machine shares. */
export const MACHINE_SYSCTL = /^net(\.[a-z0-9_]+)+$/;
export const CASE_NAME = /^[a-z][a-z0-9-]{0,63}$/;

/** Where a namespace is found that has a name. */
export function namespaceFile(name: string): string {
  return `/run/netns/${name}`;
}

export function namePrefix(pid: number, session: number): string {
  return `nettrace-${pid}-${session}-`;
}

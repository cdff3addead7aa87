/** Whose sockets can be listed. */
export const SOCKET_PROTOS = ['tcp', 'udp', 'raw'] as const;
export type SocketProto = (typeof SOCKET_PROTOS)[number];

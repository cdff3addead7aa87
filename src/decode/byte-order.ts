/** Third argument of DataView's methods: both machines that nettrace runs on, x86_64 and arm64, are little-endian. */
export const LITTLE = true;

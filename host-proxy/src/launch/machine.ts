export { ENCLAVE_PORT } from "../launcher/vsock/ports.ts";
export type { Machine } from "../launcher/qemu/machine.ts";

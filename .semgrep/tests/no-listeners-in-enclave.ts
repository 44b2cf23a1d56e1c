// ruleid: no-listeners-in-enclave
import { createServer } from "node:http";
// ok: no-listeners-in-enclave
import { connect } from "node:net";
export function bad(): void {
  // ruleid: no-listeners-in-enclave
  createServer().listen(80);
}
export function good(): void {
  // ok: no-listeners-in-enclave
  connect({ port: 80 });
}

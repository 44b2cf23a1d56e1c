/** The enclave process. It listens on one address for the host, and dials one address of the host's services. */
import "@cmcp/boundary/frozen-intrinsics";
import { POLICY_WORKER, firstCompiler } from "./boot/first-compiler.ts";
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import process from "node:process";
import { ExchangePool, dialerOf, listenAt, serveStream } from "@cmcp/wire";
import { thisMachine, withTpmSocket } from "@cmcp/attestation";
import { Enclave } from "./boot/enclave.ts";
import { endOnUncaught } from "./boot/uncaught.ts";

/** Most streams to the host's services: the limit of its relay, and some for appends and scans. */
const MAX_HOST_STREAMS = 1_408;

function optional(name: string): string | null {
  const value = process.env[name];
  return value === undefined || value === "" ? null : value;
}

function required(name: string): string {
  const value = optional(name);
  if (value === null) throw new Error(`${name} is not set`);
  return value;
}

async function main(): Promise<void> {
  endOnUncaught();
  const tpmSocket = optional("CMCP_TPM_SOCKET");
  // Set in an image only. There both addresses are vsock ports; in a process they are Unix sockets.
  const addon = optional("CMCP_VSOCK_ADDON") ?? "";
  const enclave = new Enclave({
    host: new ExchangePool(dialerOf(required("CMCP_HOST_SERVICES"), addon), { maxStreams: MAX_HOST_STREAMS }),
    policyWorker: POLICY_WORKER,
    firstCompiler,
    buildDigest: `sha256:${hash("sha256", readFileSync(__filename))}`,
    spawner: optional("CMCP_SPAWN_SOCKET"),
    platform: { machine: tpmSocket === null ? thisMachine : withTpmSocket(thisMachine, tpmSocket) },
    monotonic: () => performance.now(),
  });
  await listenAt(required("CMCP_ENCLAVE_LISTEN"), addon, (stream) =>
    serveStream(stream, (exchange) => enclave.accept(exchange)),
  );
}

void main();

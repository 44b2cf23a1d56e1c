/** The enclave process: one listener the host dials, one address of the host's services, nothing else. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import process from "node:process";
import { ExchangePool, listenUnix, serveStream, unixDialer } from "@cmcp/wire";
import { Enclave } from "./boot/process.ts";

/** Streams to the host's services at one time: appends, scans and egress relays together. */
const MAX_HOST_STREAMS = 512;

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") throw new Error(`${name} is not set`);
  return value;
}

async function main(): Promise<void> {
  const enclave = new Enclave({
    host: new ExchangePool(unixDialer(required("CMCP_HOST_SERVICES")), { maxStreams: MAX_HOST_STREAMS }),
    policyWorker: pathToFileURL(join(__dirname, "policy-worker.cjs")),
    buildDigest: `sha256:${createHash("sha256").update(readFileSync(__filename)).digest("hex")}`,
  });
  await listenUnix(required("CMCP_ENCLAVE_LISTEN"), (stream) => serveStream(stream, (exchange) => enclave.accept(exchange)));
}

void main();

/** The enclave's composition root with vsock addresses; as packages/enclave/src/main.ts, which knows Unix sockets only. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { thisMachine } from "@cmcp/attestation";
import { dialerOf, ExchangePool, listenAt, serveStream } from "@cmcp/wire";
import { Enclave } from "../../../packages/enclave/src/boot/process.ts";

const MAX_HOST_STREAMS = 512;
const [listen = "", services = "", addon = ""] = [process.env["CMCP_ENCLAVE_LISTEN"], process.env["CMCP_HOST_SERVICES"], process.env["CMCP_VSOCK_ADDON"]];

const enclave = new Enclave({
  host: new ExchangePool(dialerOf(services, addon), { maxStreams: MAX_HOST_STREAMS }),
  policyWorker: pathToFileURL(join(__dirname, "policy-worker.cjs")),
  buildDigest: `sha256:${createHash("sha256").update(readFileSync(__filename)).digest("hex")}`,
  spawner: null,
  platform: { machine: thisMachine },
});
void listenAt(listen, addon, (stream) => serveStream(stream, (exchange) => enclave.accept(exchange)));

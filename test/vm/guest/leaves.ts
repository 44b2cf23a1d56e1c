/** Runs inside the guest in place of the enclave: serves the wire, answers one path, hangs on another, and ends on a third. */
import { CmcpError } from "@cmcp/boundary";
import { listenAt, serveStream, type IncomingExchange } from "@cmcp/wire";

async function accept(exchange: IncomingExchange): Promise<void> {
  if (exchange.opening.t !== "request") throw new CmcpError("WIRE_UNEXPECTED_FRAME", "only requests");
  switch (exchange.opening.path) {
    case "/answer":
      await exchange.respond({ status: 200, headers: {} });
      await exchange.write(Buffer.alloc(1_000_000, "x"));
      return await exchange.end();
    case "/leave":
      return process.exit(3);
    default:
      return await new Promise(() => undefined);
  }
}

void listenAt(process.env["CMCP_ENCLAVE_LISTEN"] ?? "", process.env["CMCP_VSOCK_ADDON"] ?? "", (stream) =>
  serveStream(stream, accept),
);

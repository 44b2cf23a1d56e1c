import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { enclaveOfApprovals } from "@cmcp/client";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { instanceJson, instanceLines, shownInstance } from "../instance/shown-instance.ts";
import { gatewayUrl } from "../session/gateway-client.ts";
import { stopSignal } from "../start/stop-signal.ts";
import { pinsOf, RUNNING_PIN_HELP, RUNNING_PIN_OPTIONS } from "../verify/pin-options.ts";
import { answering } from "./page/answering.ts";
import { DEFAULT_LISTEN, portOf } from "./page/listen-option.ts";
import { servePage } from "./page/local-page.ts";
import { pageFiles } from "./page/page-files.ts";

const OPTIONS = {
  ...RUNNING_PIN_OPTIONS,
  url: { type: "string" },
  approver: { type: "string" },
  listen: { type: "string", default: DEFAULT_LISTEN },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp approvals serve` */
export const approvalsServe: Command = {
  help: `Usage: cmcp approvals serve --url URL --approver NAME [--listen 127.0.0.1:PORT] [options]

Serves a page on this machine, where an approver looks at calls that wait and answers with a passkey. The enclave is
verified first, and then its signature over each call before the page shows it. Requests and answers go under the
seal. A gateway that restarts is verified again, and the page asks to sign in again. Prints the page's address, which has a secret part, and goes on until stopped.

  --url URL                the gateway
  --approver NAME          your name in enclave.approvers, which lists your passkey
  --listen 127.0.0.1:PORT  the page's address; ${DEFAULT_LISTEN} by default. The passkey's measured origins have the port:
                           http://localhost:PORT. No address of another machine is taken
${RUNNING_PIN_HELP}
  --json                   address and instance as JSON, in one line, as cmcp instance verify --json prints it

Exit codes: 0 stopped, 10 the enclave is not accepted, 64 usage.
Example:    cmcp approvals serve --url https://gateway.example --approver alice --launch-document launch.json --measurements measurements.json
`,
  async run(args, { out, err }) {
    const { values } = readArguments(args, OPTIONS);
    const gateway = gatewayUrl(required(values.url, "--url"));
    const approver = required(values.approver, "--approver");
    const port = portOf(values.listen);
    const pins = await pinsOf(values);
    const files = await pageFiles();
    const verify = async () => await enclaveOfApprovals(gateway, pins, { crypto: nodeCrypto });
    const enclave = await verify();
    const terms = { enclave, verify, gateway: gateway.href, approver };
    const page = await servePage(port, { files, api: () => answering(terms) });
    const stopped = stopSignal(out);
    const { verdict } = enclave;
    const shown = shownInstance(verdict, pins.launch?.document ?? null);
    if (values.json) out.write(`${JSON.stringify({ ok: true, url: page.url, ...instanceJson(verdict, shown) })}\n`);
    else {
      err.write(`verified (assurance: ${verdict.assurance})\n`);
      for (const line of instanceLines(verdict, shown)) err.write(`${line}\n`);
      out.write(`${page.url}\n`);
    }
    if (!stopped.aborted) await new Promise((resolve) => stopped.addEventListener("abort", resolve, { once: true }));
    await page.close();
    return EXIT.ok;
  },
};

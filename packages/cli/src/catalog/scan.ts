import { CmcpError } from "@cmcp/boundary";
import { scanCatalog, type Finding } from "@cmcp/catalog";
import { carriedDetectors } from "@cmcp/findings";
import { readCatalogFile } from "@cmcp/launch/files";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { candidatesOf, scannableEntry } from "./entries.ts";
import { readLiveServer, serverUrl } from "./live-server.ts";
import type { WantedTrust } from "./live-trust.ts";
import { asciiJson, findingJson, findingLine, hasBlockingFinding } from "./print-findings.ts";

async function scan(target: string, wanted: WantedTrust): Promise<readonly Finding[]> {
  const detectors = await carriedDetectors();
  if (/^https?:\/\//i.test(target)) {
    const server = await readLiveServer(serverUrl(target), wanted);
    const names = { serverName: server.url.host, displayName: server.url.host };
    return scanCatalog(
      candidatesOf(server).map((candidate) => scannableEntry(server, candidate, names)),
      detectors,
    );
  }
  if (wanted.pin !== undefined || wanted.trust !== undefined)
    throw new CmcpError("USAGE", "--pin and --trust need an https URL");
  return scanCatalog(await readCatalogFile(target), detectors);
}

/** `cmcp catalog scan` */
export const catalogScan: Command = {
  help: `Usage: cmcp catalog scan FILE|URL [--trust pinned|webpki] [--pin SHA256:BASE64] [--json]

Looks through a catalog, or the tools a live server lists, for what a reviewer does not see: words addressed
to the model, invisible and bidirectional characters, comments, encoded text, secrets, links that carry data,
names that look like others. Each finding has a tool, a place, a code point where there is one, and a severity. High findings keep a
gateway outside development from starting; all others are warnings there.

  --trust HOW  how an https server is known: pinned, by its key, or webpki, by the authorities of the web
  --pin KEY    it must have this key; without it an authority must vouch for the server
  --json       one line: ok, findings [{tool, subject, server, kind, severity, path, code_point, offset, message}]

Exit codes: 0 no high finding, 10 high findings or not readable, 64 usage.
Example:    cmcp catalog scan examples/quickstart/catalog.json
`,
  async run(args, terminal) {
    const { values, positional } = readArguments(
      args,
      { trust: { type: "string" }, pin: { type: "string" }, json: { type: "boolean", default: false } },
      "FILE or URL",
    );
    const findings = await scan(required(positional, "FILE or URL"), { trust: values.trust, pin: values.pin });
    const grave = hasBlockingFinding(findings);
    if (values.json) terminal.out.write(`${asciiJson({ ok: !grave, findings: findings.map(findingJson) })}\n`);
    else
      terminal.out.write(
        `${findings.map((finding) => `${findingLine(finding, terminal)}\n`).join("")}${findings.length} findings${grave ? ": not fit for approval" : ""}\n`,
      );
    return grave ? EXIT.rejected : EXIT.ok;
  },
};

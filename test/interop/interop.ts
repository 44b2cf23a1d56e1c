/** Holds our records and hashes against the public Python verifier, the TRACE conformance suite and the published examples. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { compareDisclosures } from "./disclosures.ts";
import { compareKillSwitch } from "./kill-switch.ts";
import { compareManifests } from "./manifests.ts";
import { compareProvenance } from "./provenance.ts";
import { comparePublicVerifier } from "./public-verifier.ts";
import { comparePublishedExamples } from "./published-examples.ts";
import { ourRecord, theirRecord } from "./records.ts";
import { compareResets } from "./resets.ts";
import { compareTraceSuite } from "./trace-suite.ts";

const folder = await mkdtemp(join(tmpdir(), "cmcp-interop-"));
try {
  const ours = await ourRecord(join(folder, "ours"));
  const theirs = await theirRecord(join(folder, "theirs"), ours);
  const differences =
    (await comparePublicVerifier(theirs, ours)) +
    (await compareKillSwitch(join(folder, "stopped"))) +
    (await compareDisclosures(join(folder, "disclosures"))) +
    (await compareManifests(join(folder, "manifests"))) +
    (await compareProvenance(join(folder, "provenance"))) +
    (await compareResets(join(folder, "reset"))) +
    (await compareTraceSuite(theirs, ours)) +
    (await comparePublishedExamples());
  process.stdout.write(differences === 0 ? "\ninterop: no difference\n" : `\ninterop: ${differences} differences\n`);
  process.exitCode = differences === 0 ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

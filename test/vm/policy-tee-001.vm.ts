/** POLICY-TEE-001 of docs/threat-model.md, against the machine. */
import { readFile, writeFile } from "node:fs/promises";
import { policyTee001, policyTee001Host } from "../conformance/policy-tee/policy-tee-001.ts";
import { startGateway } from "../gateway/gateway.ts";
import { IMAGE, temporaryFolder } from "./image.ts";
import { emulatorPath, ENTRY } from "./launch-scene.ts";
import { machineTarget } from "./machine-target.ts";

policyTee001Host("vm", async (t, config, environment) => {
  const folder = temporaryFolder(t);
  await writeFile(config, `${await readFile(config, "utf8")}launcher: qemu\nqemu: {image: ${IMAGE}, memory_mb: 512, accelerator: tcg}\n`);
  return await startGateway(config, { ...environment, PATH: await emulatorPath(folder), TMPDIR: folder }, { entry: ENTRY });
});
policyTee001(machineTarget);

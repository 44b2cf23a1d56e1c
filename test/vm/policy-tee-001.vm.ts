/** POLICY-TEE-001 of docs/explanation/threat-model.md, against the machine. */
import { policyTee001, policyTee001Host } from "../conformance/policy-tee/policy-tee-001.ts";
import { startGateway } from "../gateway/gateway.ts";
import { temporaryFolder } from "./image.ts";
import { ENTRY } from "./launch-scene.ts";
import { emulatorEnvironment, useMachine } from "./launch-settings.ts";
import { machineTarget } from "./machine-target.ts";

policyTee001Host("vm", async (t, config, environment) => {
  const folder = temporaryFolder(t);
  await useMachine(config);
  return await startGateway(config, { ...environment, ...(await emulatorEnvironment(folder)) }, { entry: ENTRY });
});
policyTee001(machineTarget);

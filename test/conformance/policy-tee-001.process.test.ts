/** POLICY-TEE-001 of docs/explanation/threat-model.md, against the process enclave. test/vm runs it against the machine. */
import { startGateway } from "../gateway/gateway.ts";
import { policyTee001, policyTee001Host } from "./policy-tee/policy-tee-001.ts";
import { lacking, processTarget, softwareTpm } from "./policy-tee/process-target.ts";

policyTee001Host("process", async (t, config, environment) => {
  const why = await lacking();
  if (why !== null) {
    t.skip(why);
    return null;
  }
  return await startGateway(config, { ...environment, CMCP_TPM_SOCKET: (await softwareTpm(t)).socket });
});
policyTee001(processTarget);

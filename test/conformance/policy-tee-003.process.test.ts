/** POLICY-TEE-003 of docs/explanation/threat-model.md, against the process enclave. test/vm runs it against the machine. */
import { policyTee003 } from "./policy-tee/policy-tee-003.ts";
import { processTarget } from "./policy-tee/process-target.ts";

policyTee003(processTarget);

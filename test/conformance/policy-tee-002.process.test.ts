/** POLICY-TEE-002 of docs/explanation/threat-model.md, against the process enclave. test/vm runs it against the machine. */
import { policyTee002 } from "./policy-tee/policy-tee-002.ts";
import { processTarget } from "./policy-tee/process-target.ts";

policyTee002(processTarget);

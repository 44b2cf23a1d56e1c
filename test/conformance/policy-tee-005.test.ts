/** POLICY-TEE-005 of docs/threat-model.md, against the process enclave. test/vm runs it against the machine. */
import { policyTee005 } from "./policy-tee/policy-tee-005.ts";
import { processTarget } from "./policy-tee/process-target.ts";

policyTee005(processTarget);

/** POLICY-TEE-004 of docs/explanation/threat-model.md, against the process enclave. test/vm runs it against the machine. */
import { policyTee004, policyTee004Server } from "./policy-tee/policy-tee-004.ts";
import { processTarget } from "./policy-tee/process-target.ts";

policyTee004(processTarget);
policyTee004Server(processTarget);

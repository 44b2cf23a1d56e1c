/** POLICY-TEE-005 of docs/explanation/threat-model.md, against the process enclave. */
import { policyTee005 } from "./policy-tee/policy-tee-005.ts";
import { policyTee005Fork } from "./policy-tee/policy-tee-005-fork.ts";
import { processTarget } from "./policy-tee/process-target.ts";

policyTee005(processTarget);
policyTee005Fork(processTarget);

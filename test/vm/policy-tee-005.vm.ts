/** POLICY-TEE-005 of docs/explanation/threat-model.md, against the machine. */
import { policyTee005 } from "../conformance/policy-tee/policy-tee-005.ts";
import { policyTee005Fork } from "../conformance/policy-tee/policy-tee-005-fork.ts";
import { machineTarget } from "./machine-target.ts";

policyTee005(machineTarget);
policyTee005Fork(machineTarget);

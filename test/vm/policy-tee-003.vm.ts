/** POLICY-TEE-003 of docs/explanation/threat-model.md, against the machine. */
import { policyTee003 } from "../conformance/policy-tee/policy-tee-003.ts";
import { machineTarget } from "./machine-target.ts";

policyTee003(machineTarget);

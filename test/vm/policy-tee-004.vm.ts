/** POLICY-TEE-004 of docs/explanation/threat-model.md, against the machine. */
import { policyTee004, policyTee004Server } from "../conformance/policy-tee/policy-tee-004.ts";
import { machineTarget } from "./machine-target.ts";

policyTee004(machineTarget);
policyTee004Server(machineTarget);

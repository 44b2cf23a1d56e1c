export {
  approvals,
  enclaveOfApprovals,
  type Approvals,
  type ApprovalsOptions,
  type ApprovalsPorts,
  type ApproverKey,
  type EnclaveOfApprovals,
  type PermittedCall,
  type RecordedAnswer,
  type VerifiedRequest,
  type WaitingCalls,
} from "./approvals.ts";
export { connect, type Connection, type ConnectOptions } from "./connect.ts";
export { provision, type ProvisionOptions, type Provisioned, type Secrets } from "./provision.ts";

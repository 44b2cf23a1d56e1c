export {
  ACCESS_FORMAT,
  accessBytes,
  accessChallenge,
  accessSigningInput,
  readAccess,
  verifyAccess,
  type ApprovalAccess,
  type SignedAccess,
} from "./access.ts";
export {
  ANSWER_FORMAT,
  answerBytes,
  answerChallenge,
  answerSigningInput,
  readAnswer,
  verifyAnswer,
  type ApprovalAnswer,
  type SignedAnswer,
} from "./answer.ts";
export { verifyAssertion, type ExpectedAssertion } from "./webauthn/verify-assertion.ts";
export { assertionSchema, type PasskeyAssertion } from "./webauthn/assertion.ts";
export { approverDigest, approverKey, approverSchema, type Approver, type Passkey } from "./approver.ts";
export type { ApprovalCrypto } from "./crypto.ts";
export {
  notPermitted,
  outputBytes,
  outputHash,
  permissionChallenge,
  permissionSigningInput,
  readPermission,
  readSignedPermission,
  recipientOf,
  sourceScopeOf,
  verifyPermission,
  type DisclosurePermission,
  type RecordedPermission,
  type SignedPermission,
} from "./disclosure.ts";
export {
  ID_BYTES,
  MAX_ANSWER_BYTES,
  MAX_APPROVAL_SECONDS,
  MAX_APPROVERS,
  MAX_NOTICE_BYTES,
  MAX_REASON,
  MAX_REQUEST_BYTES,
  SALT_BYTES,
} from "./limits.ts";
export {
  isNoticeSignedBy,
  NOTICE_FORMAT,
  noticeSigningInput,
  readNotice,
  webhookSigningInput,
  type ApprovalNotice,
  type SignedNotice,
} from "./notice.ts";
export {
  isSignedBy,
  readRequest,
  REQUEST_FORMAT,
  requestBytes,
  requestHash,
  requestSigningInput,
  type ApprovalRequest,
  type SignedRequest,
} from "./request.ts";

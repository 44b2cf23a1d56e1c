/** Largest signed request, in bytes. It holds the whole call, or the whole result that waits. */
export const MAX_REQUEST_BYTES = 512 * 1024;
/** Largest signed answer or statement of access, in bytes. */
export const MAX_ANSWER_BYTES = 16 * 1024;
/** Largest signed notice, in bytes. */
export const MAX_NOTICE_BYTES = 4 * 1024;
/** Bytes of an approval's id, of the salt, and of a statement's random part. */
export const ID_BYTES = 16;
export const SALT_BYTES = 32;
/** Most approvers of a gateway, and so most approvals that one call can need. */
export const MAX_APPROVERS = 16;
/** Longest reason of an approver, in UTF-16 units. */
export const MAX_REASON = 256;
/** Most flows and findings that a request names. */
export const MAX_NAMED = 64;
/** Largest `clientDataJSON`, and largest `authenticatorData`, in bytes. Entries of the record have room for both. */
export const MAX_CLIENT_DATA_BYTES = 1_024;
export const MAX_AUTHENTICATOR_DATA_BYTES = 256;
/** Longest signature of a passkey: a DER SEQUENCE of two integers of 33 bytes. */
export const MAX_SIGNATURE_BYTES = 72;
/** Longest time for which an approval waits, in seconds. */
export const MAX_APPROVAL_SECONDS = 86_400;
/** Longest name in a disclosure permission, in UTF-16 units, as the public cMCP has it. */
export const MAX_DISCLOSURE_NAME = 256;
/** Longest canonical JSON of a disclosure permission, in UTF-16 units: one text of an entry holds it. */
export const MAX_PERMISSION_LENGTH = 4_096;

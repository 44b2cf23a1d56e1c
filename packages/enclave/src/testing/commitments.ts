import { canonicalText, type JsonValue } from "@cmcp/boundary";
import type { RecordedSession } from "../record/recorded-session.ts";

/** The commitment that a session's entry of a call is to have to a request. */
export function requestCommitment({ commitments }: RecordedSession, callId: string, value: JsonValue): string {
  return commitments.ofCall(callId).toRequest(canonicalText(value));
}

/** The same to messages. */
export function messagesCommitment(
  { commitments }: RecordedSession,
  callId: string,
  field: "response" | "upstream" | "cedar" | "answers",
  messages: readonly object[],
): string {
  const transcript = commitments.ofCall(callId)[field];
  for (const message of messages) transcript.add(message);
  return transcript.digest();
}

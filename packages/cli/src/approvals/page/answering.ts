import { readAccess, readAnswer } from "@cmcp/approval";
import { CmcpError, untrusted, type ErrorCode } from "@cmcp/boundary";
import type { EnclaveOfApprovals, WaitingCalls } from "@cmcp/client";
import type { PageApi, PageRequest } from "./local-page.ts";

/** What the page is told of where it is. */
export interface AnsweringTerms {
  readonly enclave: EnclaveOfApprovals;
  /** Verifies the gateway's enclave anew, under the same pins. @throws CmcpError as at the start of the command */
  readonly verify: () => Promise<EnclaveOfApprovals>;
  /** The gateway's address. */
  readonly gateway: string;
  /** Name of the approver. */
  readonly approver: string;
}

/** What the enclave's end looks like: the host answers in its place, or another answers. */
const LOST: readonly ErrorCode[] = ["SEAL_OUTCOME_UNKNOWN", "INSTANCE_CHANGED"];

/**
 * What the page of an approver asks. It signs with the approver's passkey; requests are verified here, before the page has them. An answer is sent only
 * where its request is, verified again, the one that the answer names. Where the enclave has started again it is verified anew, and nothing of the approver goes to it
 * before the next sign-in.
 */
export function answering(terms: AnsweringTerms): PageApi {
  let { enclave } = terms;
  let calls: WaitingCalls | null = null;
  const restarted = async (thrown: unknown): Promise<boolean> => {
    if (!(thrown instanceof CmcpError) || !LOST.includes(thrown.code)) return false;
    const present = await reached(terms.verify());
    if (present.instance === enclave.instance) return false;
    enclave = present;
    calls = null;
    return true;
  };
  const entered = (): WaitingCalls => {
    if (calls === null) throw new CmcpError("APPROVAL_ACCESS_INVALID", "sign in with your passkey first");
    return calls;
  };
  return async (request) => {
    const { approver, gateway } = terms;
    try {
      switch (`${request.method} ${request.path.replace(/^(approvals)\/[A-Za-z0-9_-]{1,64}/, "$1/ID")}`) {
        case "GET state":
          return {
            page: "answer",
            approver,
            gateway,
            instance: enclave.instance,
            launch_digest: enclave.launchDigest,
            assurance: enclave.verdict.assurance,
            entered: calls !== null,
          };
        case "POST access":
          calls = await enclave.enter(accessOf(request, approver));
          return {};
        case "GET approvals":
          return { approvals: await entered().list() };
        case "GET approvals/ID":
          return await entered().show(idOf(request));
        case "POST approvals/ID/answer":
          return await answer(entered(), request, approver);
        default:
          return null;
      }
    } catch (failure) {
      const thrown = failureOf(failure);
      // The token is over, or the enclave forgot it: the approver signs in again.
      if (thrown instanceof CmcpError && thrown.code === "APPROVAL_ACCESS_INVALID") calls = null;
      if (await restarted(thrown))
        throw new CmcpError(
          "APPROVAL_ACCESS_INVALID",
          "the gateway has restarted, and its new enclave is verified. What waited is gone, and agents have to repeat their calls. Sign in again",
          { cause: thrown },
        );
      throw thrown;
    }
  };
}

/** A gateway that starts takes no connections, which is no error of this command. */
function failureOf(failure: unknown): unknown {
  return failure instanceof TypeError
    ? new CmcpError("ENCLAVE_UNAVAILABLE", "the gateway does not answer, and may be starting again", { cause: failure })
    : failure;
}

async function reached<T>(asking: Promise<T>): Promise<T> {
  try {
    return await asking;
  } catch (failure) {
    throw failureOf(failure);
  }
}

function idOf({ path }: PageRequest): string {
  return path.split("/")[1] ?? "";
}

function accessOf({ body }: PageRequest, approver: string) {
  const signed = readAccess(untrusted(body));
  if (signed.access.approver !== approver) throw new CmcpError("APPROVAL_ACCESS_INVALID", "it names another approver");
  return signed;
}

async function answer(calls: WaitingCalls, request: PageRequest, approver: string): Promise<object> {
  const signed = readAnswer(untrusted(request.body));
  const { approval_id, approver: name, request_hash } = signed.answer;
  if (approval_id !== idOf(request) || name !== approver)
    throw new CmcpError("APPROVAL_REQUEST_INVALID", "the answer is to another call, or names another approver");
  const { hash } = await calls.show(approval_id);
  if (request_hash !== hash)
    throw new CmcpError(
      "APPROVAL_REQUEST_INVALID",
      "the call that waits is not the one that was shown; nothing was sent",
    );
  return await calls.send(signed);
}

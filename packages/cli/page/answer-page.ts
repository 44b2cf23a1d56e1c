import {
  ACCESS_FORMAT,
  accessChallenge,
  ANSWER_FORMAT,
  answerChallenge,
  ID_BYTES,
  MAX_REASON,
  requestHash,
  type ApprovalAccess,
  type ApprovalAnswer,
  type ApprovalRequest,
} from "@cmcp/approval";
import { isJsonObject, toBase64Url, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { callView, timeText } from "./call-view.ts";
import { button, element, foreign, note, say, setPlace, show } from "./element.ts";
import { ask, Refusal, textOf } from "./local-command.ts";
import { signWithPasskey } from "./passkey.ts";

/** How often the list is asked for again, in milliseconds. */
const REFRESH_MS = 4_000;

/** Whose page it is, and for which enclave. */
interface Place {
  readonly approver: string;
  readonly gateway: string;
}

/** The page of an approver: a passkey opens the list, and signs each answer. */
export class AnswerPage {
  readonly #place: Place;
  #refresh: ReturnType<typeof setTimeout> | undefined;
  #listed = "";

  constructor({ approver, gateway, assurance }: JsonObject) {
    this.#place = { approver: textOf(approver), gateway: textOf(gateway) };
    setPlace(`${textOf(approver)} at ${textOf(gateway)}, enclave verified (assurance: ${textOf(assurance)})`);
  }

  /** What is shown first. */
  async start(entered: boolean): Promise<void> {
    if (entered) await this.#list();
    else this.#signIn();
  }

  #signIn(): void {
    this.#leaveList();
    show(
      "Sign in",
      element(
        "p",
        "",
        `Your passkey says that you are ${this.#place.approver}. The enclave then shows what waits for you.`,
      ),
      element(
        "div",
        "actions",
        this.#button("Sign in with your passkey", "main", async () => await this.#enter()),
      ),
    );
  }

  async #enter(): Promise<void> {
    // A gateway that has restarted since is another instance.
    const { instance, launch_digest: launch } = await ask("state");
    const access: ApprovalAccess = {
      format: ACCESS_FORMAT,
      approver: this.#place.approver,
      instance: textOf(instance),
      launch_digest: textOf(launch),
      issued_at: Math.floor(Date.now() / 1000),
      random: toBase64Url(crypto.getRandomValues(new Uint8Array(ID_BYTES))),
    };
    say("Waiting for your passkey.");
    const assertion = await signWithPasskey(await accessChallenge(crypto, access));
    await ask("access", { access, assertion });
    say("");
    await this.#list();
  }

  async #list(): Promise<void> {
    const { approvals } = await ask("approvals");
    const calls = Array.isArray(approvals) ? approvals.filter((one) => isJsonObject(one)) : [];
    this.#listed = JSON.stringify(calls);
    show(
      calls.length === 0
        ? "Nothing waits for you"
        : `${calls.length} ${calls.length === 1 ? "call waits" : "calls wait"} for you`,
      calls.length === 0
        ? element("p", "soft", "This page looks again every few seconds.")
        : element("ul", "calls", ...calls.map((call) => this.#item(call))),
    );
    this.#lookAgain();
  }

  #item({ approval_id: id, target, principal, expires_at: expires }: JsonObject): HTMLLIElement {
    const { name = "", server = "" } = isJsonObject(target) ? target : {};
    return element(
      "li",
      "",
      element(
        "div",
        "",
        element("p", "name", foreign(textOf(name))),
        element(
          "p",
          "soft",
          foreign(`at ${textOf(server)}, asked by ${textOf(principal)}, until ${timeText(Number(expires))}`),
        ),
      ),
      this.#button("Look at this call", "", async () => await this.#call(textOf(id))),
    );
  }

  /** The list is drawn again only where it changed: a drawing would take the keyboard away from a button. */
  #lookAgain(): void {
    clearTimeout(this.#refresh);
    this.#refresh = setTimeout(() => {
      ask("approvals").then(
        async ({ approvals }) => {
          if (this.#refresh === undefined) return;
          if (JSON.stringify(approvals) === this.#listed) this.#lookAgain();
          else await this.#list();
        },
        (thrown: unknown) => {
          this.#failed(thrown);
          // Whoever is still at the list sees when the gateway is back.
          if (this.#refresh !== undefined) this.#lookAgain();
        },
      );
    }, REFRESH_MS);
  }

  #leaveList(): void {
    clearTimeout(this.#refresh);
    this.#refresh = undefined;
  }

  async #call(id: string): Promise<void> {
    const shown = await ask(`approvals/${encodeURIComponent(id)}`);
    const request = shown["request"] as unknown as ApprovalRequest;
    // What is signed is the hash of what is shown, whatever the command says.
    const hash = await requestHash(crypto, request);
    if (hash !== shown["hash"] || request.approval_id !== id)
      throw new Refusal(
        "APPROVAL_REQUEST_INVALID",
        "The call is not the one that was asked for.",
        "do not answer, and report it",
      );
    this.#leaveList();
    say("");
    const reason = element("input", "");
    reason.id = "reason";
    reason.maxLength = MAX_REASON;
    reason.autocomplete = "off";
    const label = element("label", "", "Reason (needed to deny; it is in the record, and the gateway's host reads it)");
    label.htmlFor = reason.id;
    const decide = async (decision: "approve" | "deny"): Promise<void> =>
      await this.#decide({ request, hash }, decision, reason);
    show(
      request.target.name,
      ...callView(request, hash),
      element("h2", "", "Your answer"),
      label,
      reason,
      element(
        "div",
        "actions",
        this.#button("Approve once", "main", async () => await decide("approve")),
        this.#button("Deny", "deny", async () => await decide("deny")),
        this.#button("Back to the list", "", async () => await this.#list()),
      ),
    );
  }

  async #decide(
    { request, hash }: { readonly request: ApprovalRequest; readonly hash: string },
    decision: "approve" | "deny",
    input: HTMLInputElement,
  ): Promise<void> {
    const reason = input.value.trim();
    if (decision === "deny" && reason === "") {
      say("Say why you deny it: the agent is told.");
      input.focus();
      return;
    }
    const answer: ApprovalAnswer = {
      format: ANSWER_FORMAT,
      approval_id: request.approval_id,
      request_hash: hash,
      approver: this.#place.approver,
      decision,
      ...(reason === "" ? {} : { reason }),
    };
    const challenge = await answerChallenge(crypto, answer);
    say("Waiting for your passkey.");
    const assertion = await signWithPasskey(challenge);
    const path = `approvals/${encodeURIComponent(request.approval_id)}/answer`;
    const recorded = await ask(path, { answer, assertion } as unknown as JsonValue);
    say("");
    this.#answered(request, decision, recorded);
  }

  #answered(request: ApprovalRequest, decision: "approve" | "deny", said: JsonObject): void {
    const { kind, text } = outcomeOf(request, said);
    show(
      decision === "approve" ? "Approved" : "Denied",
      note(kind, text),
      element("p", "soft", foreign(request.target.name)),
      element(
        "div",
        "actions",
        this.#button("Back to the list", "main", async () => await this.#list()),
      ),
    );
  }

  #button(text: string, className: string, press: () => Promise<void>): HTMLButtonElement {
    return button(text, className, press, (thrown) => this.#failed(thrown));
  }

  #failed(thrown: unknown): void {
    say(failureText(thrown));
    if (thrown instanceof Refusal && thrown.code === "APPROVAL_ACCESS_INVALID") this.#signIn();
  }
}

/** What an answer did, as the enclave says it. */
function outcomeOf(
  { subject }: ApprovalRequest,
  { state, approvals, needed }: JsonObject,
): { readonly kind: "" | "good" | "bad"; readonly text: string } {
  const isCall = subject === "call";
  switch (textOf(state)) {
    case "approved":
      return {
        kind: "good",
        text: `The agent can repeat the call${isCall ? ", and it is sent once." : " and gets the result. Nothing is sent again."}`,
      };
    case "denied":
      return {
        kind: "bad",
        text: `${isCall ? "The call is not sent" : "The result is not delivered"}. The agent is told, with your reason.`,
      };
    case "waiting":
      return { kind: "", text: `${textOf(approvals)} of ${textOf(needed)} approvals are given. It waits for others.` };
    default:
      return { kind: "bad", text: "Your answer is recorded, and came too late: the call had expired." };
  }
}

/** What went wrong, for a person. */
export function failureText(thrown: unknown): string {
  if (thrown instanceof Refusal) return `${thrown.message} What to do: ${thrown.action}. (${thrown.code})`;
  if (thrown instanceof DOMException && thrown.name === "NotAllowedError")
    return "Your passkey did not answer, or it could not verify that it is you. Nothing was sent.";
  return `That did not work, and nothing was sent: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
}

import type { JsonValue } from "@cmcp/boundary";
import { failureText } from "./answer-page.ts";
import { button, element, foreign, note, say, setPlace, show } from "./element.ts";
import { ask, textOf } from "./local-command.ts";
import { makePasskey, signWithPasskey, type MadePasskey } from "./passkey.ts";

/** The page that makes a passkey for an approver, and has it sign once. */
export function registerPage(approver: string): void {
  setPlace(`a passkey for ${approver}`);
  show(
    "Make a passkey",
    element(
      "p",
      "",
      "Your browser makes a passkey for the approver ",
      element("strong", "", foreign(approver)),
      " on this machine.",
    ),
    element("p", "", "Each use asks for your fingerprint, face or PIN. The configuration gets its public key alone."),
    step("Make the passkey", async () => await make(approver)),
  );
}

async function make(approver: string): Promise<void> {
  say("Waiting for your authenticator.");
  const made = await makePasskey(approver);
  const { challenge } = await ask("passkey", { public_key: made.publicKey });
  say("");
  show(
    "Test the passkey",
    element(
      "p",
      "",
      "The passkey signs a random text, as it will sign your answers. The text is used for nothing else.",
    ),
    step("Test the passkey", async () => await test(made, textOf(challenge))),
  );
}

async function test({ id }: MadePasskey, challenge: string): Promise<void> {
  say("Waiting for your passkey.");
  let assertion: JsonValue = null;
  let refusal = "";
  try {
    assertion = { ...(await signWithPasskey(challenge, id)) };
  } catch (thrown) {
    refusal = failureText(thrown);
  }
  try {
    const { lines } = await ask("test", { assertion });
    say("");
    made(textOf(lines));
  } catch (thrown) {
    say("");
    failed(assertion === null ? [refusal, failureText(thrown)] : [failureText(thrown)]);
  }
}

function made(lines: string): void {
  show(
    "Your passkey is made",
    note(
      "good",
      "It signs. Hand these lines to whoever runs the gateway. They go into cmcp-config.yaml, and are measured.",
    ),
    element("pre", "", foreignLines(lines)),
    element("p", "soft", "The command printed them too, and has ended."),
  );
}

function failed(why: readonly string[]): void {
  show(
    "Your passkey does not count",
    ...why.map((text) => note("bad", foreign(text))),
    element("p", "soft", "The command has ended, and printed no lines for the configuration."),
  );
}

function step(text: string, press: () => Promise<void>): HTMLElement {
  return element(
    "div",
    "actions",
    button(text, "main", press, (thrown) => say(failureText(thrown))),
  );
}

/** Lines of the command's, each with every character visible. */
function foreignLines(text: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  for (const line of text.trimEnd().split("\n")) fragment.append(foreign(line), "\n");
  return fragment;
}

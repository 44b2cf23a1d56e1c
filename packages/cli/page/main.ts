import "./no-eval.ts";
import { AnswerPage, failureText } from "./answer-page.ts";
import { say } from "./element.ts";
import { ask, textOf } from "./local-command.ts";
import { registerPage } from "./register-page.ts";

async function start(): Promise<void> {
  const state = await ask("state");
  if (state["page"] === "register") registerPage(textOf(state["approver"]));
  else await new AnswerPage(state).start(state["entered"] === true);
}

start().catch((thrown: unknown) => say(failureText(thrown)));

import { visibleParts } from "../src/approvals/visible.ts";

type Child = Node | string;

/** An element with text and elements in it. Text is never read as markup. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  className: string,
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  if (className !== "") made.className = className;
  made.append(...children);
  return made;
}

/** Text of others. A character that does not show stands as its code, marked, so that no text can be taken for one. */
export function foreign(text: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  for (const part of visibleParts(text)) {
    if (!part.hidden) {
      fragment.append(part.text);
      continue;
    }
    const mark = element("mark", "", part.text);
    mark.title = "a character that does not show";
    fragment.append(mark);
  }
  return fragment;
}

/** A button that works once at a time. What fails is said by `failed`. */
export function button(
  text: string,
  className: string,
  press: () => Promise<void>,
  failed: (thrown: unknown) => void,
): HTMLButtonElement {
  const made = element("button", className, text);
  made.type = "button";
  made.addEventListener("click", () => {
    if (made.disabled) return;
    made.disabled = true;
    press()
      .catch(failed)
      .finally(() => {
        made.disabled = false;
      });
  });
  return made;
}

/** Facts by name. */
export function facts(rows: readonly (readonly [string, Child])[]): HTMLDListElement {
  return element("dl", "", ...rows.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
}

/** A box that says something of weight. */
export function note(kind: "" | "good" | "bad", ...children: readonly Child[]): HTMLParagraphElement {
  return element("p", `note ${kind}`.trim(), ...children);
}

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

/** Shows something in place of what was there, and moves the keyboard to it. */
export function show(title: string, ...children: readonly Child[]): void {
  const main = byId("main");
  main.replaceChildren(element("h1", "", foreign(title)), ...children);
  main.focus();
  document.title = `${title.slice(0, 60)} · Approvals`;
}

/** Says something in passing, aloud too. */
export function say(text: string): void {
  byId("status").replaceChildren(foreign(text));
}

/** Says whose page it is. */
export function setPlace(text: string): void {
  byId("place").replaceChildren(foreign(text));
}

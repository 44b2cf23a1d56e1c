/** What a phrase does. */
export type PhraseKind = "override-instruction" | "secrecy-instruction" | "exfiltration" | "model-directive";
/** How grave a phrase is; honest texts have no `high` one. */
export type PhraseSeverity = "high" | "medium" | "low";

/** One word of a phrase: any of these, after at most `gap` other words. */
interface Step {
  readonly words: ReadonlySet<string>;
  readonly gap: number;
}

/** Words in order that make a text speak to the model and not about the tool. */
export interface Phrase {
  readonly kind: PhraseKind;
  readonly severity: PhraseSeverity;
  readonly says: string;
  readonly steps: readonly Step[];
}

/** `"ignore|forget 3:previous|prior"`: alternatives with `|`, and before a colon how many words may stand between. */
function phrase(kind: PhraseKind, severity: PhraseSeverity, says: string, pattern: string): Phrase {
  const steps = pattern.split(" ").map((step) => {
    const [, gap = "0", words = ""] = /^(?:(\d):)?(.*)$/.exec(step) ?? [];
    return { words: new Set(words.split("|")), gap: Number(gap) };
  });
  return { kind, severity, says, steps };
}

const SECRETS =
  "password|passwords|credential|credentials|secrets|cookies|conversation|apikey|apikeys|token|tokens|prompt|ssh";
const PEOPLE = "user|users|human|operator";
const SENDS = "send|forward|upload|exfiltrate|leak|transmit|email|post|submit|append";

/**
 * Phrases of texts that were written to steer a model. Wording that tools honestly use is not `high`. Descriptions
 * speak of a tool in the third person or name what it does; a verb that stands there for both is no sign by itself.
 */
const PHRASES: readonly Phrase[] = [
  phrase(
    "override-instruction",
    "high",
    "tells the model to drop its instructions",
    "ignore|disregard|forget|discard 2:previous|prior|above|earlier|preceding|your|all|any|other " +
      "3:instructions|instruction|directives|guidelines|prompt|prompts",
  ),
  phrase(
    "override-instruction",
    "high",
    "tells the model to drop its instructions",
    "not|never|dont|stop 0:follow|following|obey|obeying|heed " +
      "2:previous|prior|above|earlier|preceding|your|any|other 3:instructions|instruction|directives|guidelines",
  ),
  phrase(
    "override-instruction",
    "medium",
    "speaks of overriding rules",
    "override|bypass|circumvent 3:instructions|guidelines|safeguards|restrictions|policy|policies|rules",
  ),
  phrase("override-instruction", "medium", "gives the model another role", "you are now"),
  phrase("override-instruction", "medium", "gives the model another role", "from now on you|your|always"),
  phrase(
    "secrecy-instruction",
    "high",
    "tells the model to keep something from the user",
    `not|never|dont 0:tell|inform 2:${PEOPLE}|anyone|anybody`,
  ),
  phrase(
    "secrecy-instruction",
    "high",
    "tells the model to keep something from the user",
    `not|never|dont 0:let 2:${PEOPLE}|anyone|anybody 0:know|notice|realize|realise|suspect`,
  ),
  phrase(
    "secrecy-instruction",
    "high",
    "tells the model to keep something from the user",
    `not|never|dont 0:mention|reveal|disclose|show 6:to 1:${PEOPLE}`,
  ),
  phrase(
    "secrecy-instruction",
    "high",
    "tells the model to keep something from the user",
    `avoid|refrain 1:telling|informing 2:${PEOPLE}`,
  ),
  phrase(
    "secrecy-instruction",
    "high",
    "tells the model to keep something from the user",
    `avoid|refrain 1:mentioning|revealing|disclosing 6:to 1:${PEOPLE}`,
  ),
  phrase(
    "secrecy-instruction",
    "high",
    "tells the model to keep something from the user",
    `without 0:telling|informing 2:${PEOPLE}`,
  ),
  phrase(
    "secrecy-instruction",
    "medium",
    "speaks of acting without the user's knowledge",
    `not|never|dont|without 1:notify|notifying|alert|alerting|asking|ask 2:${PEOPLE}`,
  ),
  phrase(
    "secrecy-instruction",
    "medium",
    "speaks of acting without the user's knowledge",
    `without 1:${PEOPLE} 0:knowledge|knowing|noticing`,
  ),
  phrase(
    "secrecy-instruction",
    "medium",
    "speaks of acting without the user's knowledge",
    `${PEOPLE} 0:need|needs|must|should|shall 0:not|never 1:be|know|notice|suspect|realize|realise 0:aware|told|informed|of|about|this|that|it`,
  ),
  phrase(
    "secrecy-instruction",
    "medium",
    "speaks of acting without the user's knowledge",
    `${PEOPLE} 1:not|doesnt|dont need to know about this|that|it`,
  ),
  phrase(
    "secrecy-instruction",
    "medium",
    "speaks of acting without the user's knowledge",
    "secretly|covertly|surreptitiously",
  ),
  phrase(
    "secrecy-instruction",
    "medium",
    "speaks of hiding something from the user",
    `hide|keep|conceal 4:from 1:${PEOPLE}`,
  ),
  phrase(
    "secrecy-instruction",
    "medium",
    "speaks of leaving something unsaid",
    "not|never|dont 0:mention 0:this|that|it|anything",
  ),
  phrase(
    "exfiltration",
    "high",
    "asks for the model's own instructions",
    "reveal|repeat|leak|exfiltrate|disclose 4:system prompt|instructions",
  ),
  phrase("exfiltration", "medium", "speaks of sending secrets or the conversation", `${SENDS} 7:${SECRETS}`),
  phrase(
    "exfiltration",
    "medium",
    "speaks of sending secrets or the conversation",
    `${SENDS} 7:private|api|access|secret key|keys`,
  ),
  phrase(
    "exfiltration",
    "medium",
    "speaks of sending secrets or the conversation",
    `${SENDS} 5:chat|conversation|environment|message history|variables`,
  ),
  phrase(
    "exfiltration",
    "medium",
    "asks for what was read to be passed on",
    "read|open|load 8:pass 3:content|contents 0:as|in|through|via",
  ),
  phrase(
    "exfiltration",
    "medium",
    "asks for what was read to be passed on",
    "read|open|load 8:include|provide|supply|give|put|insert|write 3:content|contents 0:as|in|into|through|via 3:parameter|argument|field",
  ),
  phrase(
    "model-directive",
    "medium",
    "tells the model when to use tools",
    "before 0:using|calling|invoking|running 1:any|this|other|another|every 3:tool|tools|function|functions",
  ),
  phrase(
    "model-directive",
    "medium",
    "tells the model when to use tools",
    "before 0:you 1:use|call|invoke|run 1:any|this|other|another|every 3:tool|tools|function|functions",
  ),
  phrase(
    "model-directive",
    "medium",
    "tells the model when to use tools",
    "always 1:call|invoke|run|use 2:this 1:tool|function",
  ),
  phrase(
    "model-directive",
    "medium",
    "steers the model away from other tools",
    "instead 0:of 2:other|another|any 2:tool|tools",
  ),
  phrase("model-directive", "low", "gives the model an order", "you 0:must|shall"),
];

/** Whether `phrase` stands in `words` from `start`. Time: steps × gap. */
function stands(words: readonly string[], start: number, { steps }: Phrase): boolean {
  // Every index where the step before can end: a greedy choice would lose matches.
  let ends = new Set([start]);
  for (const { words: wanted, gap } of steps.slice(1)) {
    const next = new Set<number>();
    for (const end of ends)
      for (let at = end + 1; at <= end + 1 + gap; at += 1) if (wanted.has(words[at] ?? "")) next.add(at);
    ends = next;
  }
  return ends.size > 0;
}

const BY_FIRST_WORD = new Map<string, Phrase[]>();
for (const phrase of PHRASES)
  for (const word of phrase.steps[0]?.words ?? [])
    BY_FIRST_WORD.set(word, [...(BY_FIRST_WORD.get(word) ?? []), phrase]);

/** The phrases that stand in `words`, in the order of the list. Time: words × phrases that start alike × steps × gap. */
export function findPhrases(words: readonly string[]): readonly Phrase[] {
  const found = new Set<Phrase>();
  for (const [at, word] of words.entries())
    for (const phrase of BY_FIRST_WORD.get(word) ?? [])
      if (!found.has(phrase) && stands(words, at, phrase)) found.add(phrase);
  return PHRASES.filter((phrase) => found.has(phrase));
}

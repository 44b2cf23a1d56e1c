import { CmcpError, type JsonValue } from "@cmcp/boundary";
import type { Target } from "@cmcp/catalog";
import { findContent, stringLeaves, type Detectors, type Findings } from "@cmcp/findings";
import type { AgentRequest } from "@cmcp/mcp";

/** Looks at messages with the measured detectors. Each request is looked at once, when a rule first asks. */
export class ContentFindings {
  readonly #detectors: Detectors | null;
  readonly #ofArguments = new WeakMap<AgentRequest, Findings>();

  /** @param detectors `null` if the build carries none: then whatever asks is refused */
  constructor(detectors: Detectors | null) {
    this.#detectors = detectors;
  }

  /** @throws CmcpError `DETECTOR_DATA_REFUSED` without detectors */
  of(message: JsonValue): Findings {
    if (this.#detectors === null) throw new CmcpError("DETECTOR_DATA_REFUSED", "this build carries no detectors' data");
    return findContent(stringLeaves(message), this.#detectors);
  }

  /** What stands in the part of a request that the agent chose. @throws CmcpError `DETECTOR_DATA_REFUSED` without detectors */
  ofArguments(request: AgentRequest, target: Target): Findings {
    const known = this.#ofArguments.get(request);
    if (known !== undefined) return known;
    const found = this.of(chosenPart(request, target));
    this.#ofArguments.set(request, found);
    return found;
  }

  /** The same if some rule asked; `null` if none did. */
  askedOfArguments(request: AgentRequest): Findings | null {
    return this.#ofArguments.get(request) ?? null;
  }
}

function chosenPart({ name, arguments: args, completion }: AgentRequest, target: Target): JsonValue {
  const completes =
    completion === null ? {} : { completion: { ...completion.argument, known: { ...completion.known } } };
  return target.kind === "resource" ? { uri: name, ...completes } : { ...args, ...completes };
}

import { embedded, image, text } from "./content.ts";

/** A prompt that is the same in both eras. */
export interface SharedPrompt {
  readonly name: string;
  readonly description: string;
  readonly arguments: readonly { readonly name: string; readonly description: string; readonly required: true }[];
  get(args: {
    readonly [name: string]: string;
  }): (ReturnType<typeof text> | ReturnType<typeof image> | ReturnType<typeof embedded>)[];
}

function argument(name: string, description: string): SharedPrompt["arguments"][number] {
  return { name, description, required: true };
}

/** Prompts of both eras; each block becomes one message of the user. */
export const PROMPTS: readonly SharedPrompt[] = [
  {
    name: "test_simple_prompt",
    description: "A prompt without arguments.",
    arguments: [],
    get: () => [text("This is a simple prompt for testing.")],
  },
  {
    name: "test_prompt_with_arguments",
    description: "A prompt with two arguments.",
    arguments: [argument("arg1", "First test argument"), argument("arg2", "Second test argument")],
    get: ({ arg1 = "", arg2 = "" }) => [text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)],
  },
  {
    name: "test_prompt_with_embedded_resource",
    description: "A prompt with a resource in it.",
    arguments: [argument("resourceUri", "URI of the resource to embed")],
    get: ({ resourceUri = "" }) => [
      embedded(resourceUri, "text/plain", "Embedded resource content for testing."),
      text("Please process the embedded resource above."),
    ],
  },
  {
    name: "test_prompt_with_image",
    description: "A prompt with an image in it.",
    arguments: [],
    get: () => [image(), text("Please analyze the image above.")],
  },
];

const WORDS: readonly string[] = ["paris", "park", "party", "people"];

/** Completions of a prompt's argument that begin with what was typed. */
export function complete(typed: string): string[] {
  return WORDS.filter((word) => word.startsWith(typed));
}

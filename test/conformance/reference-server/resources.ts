import { pixelContents, textContents } from "./content.ts";

/** Contents of one resource. */
export type Contents = ReturnType<typeof textContents> | ReturnType<typeof pixelContents>;

/** A resource with a fixed URI. */
export interface FixedResource {
  readonly name: string;
  readonly uri: string;
  readonly description: string;
  readonly mimeType: string;
  read(): Contents;
}

/** Resources of both eras. */
export const RESOURCES: readonly FixedResource[] = [
  {
    name: "static-text",
    uri: "test://static-text",
    description: "A text that never changes.",
    mimeType: "text/plain",
    read: () => textContents("test://static-text", "text/plain", "This is the content of the static text resource."),
  },
  {
    name: "static-binary",
    uri: "test://static-binary",
    description: "An image that never changes.",
    mimeType: "image/png",
    read: () => pixelContents("test://static-binary"),
  },
  {
    name: "watched-resource",
    uri: "test://watched-resource",
    description: "A text to subscribe to.",
    mimeType: "text/plain",
    read: () => textContents("test://watched-resource", "text/plain", "This resource can be watched."),
  },
];

/** The one template of both eras. */
export const TEMPLATE = {
  name: "template-data",
  uriTemplate: "test://template/{id}/data",
  description: "Data of an id.",
  mimeType: "application/json",
} as const;

/** What the template gives for an id. */
export function templateContents(uri: string, id: string): Contents {
  return textContents(uri, TEMPLATE.mimeType, JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }));
}

export { alternativeUris } from "./alternative-uris.ts";
export { Certificate } from "./certificate.ts";

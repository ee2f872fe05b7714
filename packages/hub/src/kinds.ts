import { definitionOfCustomResource } from './builtin/custom-resource.ts'
import { builtinDefinitions } from './builtin/definitions.ts'
import type { Kinds } from './create-hub.ts'
import { openApiV3 } from './openapi/open-api.ts'
import { decodeProtobufObject } from './protobuf/decode-protobuf.ts'

/** The kinds that every hub serves. */
export const hubKinds: Kinds = {
  builtins: builtinDefinitions,
  defineCustom: definitionOfCustomResource,
  decodeProtobuf: decodeProtobufObject,
  buildOpenApi: openApiV3,
}

import type { ResourceDefinition } from '../builtin/builtin.ts'

/** A kind to describe: a served resource, or (without `custom`) a review, which can only be created. */
export type OpenApiKind = Pick<ResourceDefinition, 'info' | 'schema'> &
  Partial<Pick<ResourceDefinition, 'custom' | 'status' | 'scale'>>

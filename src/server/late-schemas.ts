/**
 * Schemas of the API are compiled when the first request comes to their route, not at the start: there are a hundred, which
 * cost each start a sixth of a second, and a server is asked by few of them.
 *
 * One that cannot be compiled is found by its route's first request, which answers 500: test/server/late-schemas.test.ts
 * asks each.
 */
import type { FastifyServerOptions } from 'fastify'

type Ajv = Parameters<NonNullable<NonNullable<FastifyServerOptions['ajv']>['onCreate']>>[0]
type Schema = Parameters<Ajv['compile']>[0]
type Validate = ReturnType<Ajv['compile']>

/** Makes `ajv` compile late; for `fastify({ ajv: { onCreate } })`. */
export function compileLate(ajv: Ajv): void {
  const compile = ajv.compile.bind(ajv)
  Object.assign(ajv, { compile: (schema: Schema) => late(() => compile(schema)) })
}

/** A function that fastify uses like the one that `compile` makes: called with data, and asked for its `errors`. */
function late(compile: () => Validate): (data: unknown) => unknown {
  let made: Validate | undefined
  const validate = (data: unknown): unknown => {
    made ??= compile()
    const answer: unknown = made(data)
    Object.assign(validate, { errors: made.errors })
    return answer
  }
  return validate
}

"use strict";

// Swagger UI fills in the example of every parameter. Optional ones begin empty here, because filters with made-up values find nothing:
// their examples are shown beside them.
const emptyOptionalParameters = () => ({
  statePlugins: { spec: { wrapActions: { updateJsonSpec: (update) => (spec) => update(withEmptyOptionals(spec)) } } },
});

function withEmptyOptionals(spec) {
  const named = (ref) => ref.replace("#/", "").split("/").reduce((value, name) => value[name], spec);
  const beginEmpty = (parameter) => {
    if (parameter.$ref || parameter.required) return parameter;
    const { example: own, ...rest } = parameter;
    const { example, ...schema } = rest.schema?.$ref ? named(rest.schema.$ref) : rest.schema ?? {};
    const shown = own ?? example;
    return shown === undefined ? parameter : { ...rest, schema, description: `${rest.description ?? ""}\n\nExample: \`${shown}\`` };
  };
  const eachOf = (object, change) => Object.fromEntries(Object.entries(object ?? {}).map(([name, value]) => [name, change(value)]));
  const inside = (described) => Array.isArray(described?.parameters) ? { ...described, parameters: described.parameters.map(beginEmpty) } : described;
  return {
    ...spec,
    paths: eachOf(spec.paths, (path) => eachOf(inside(path), inside)),
    components: { ...spec.components, parameters: eachOf(spec.components?.parameters, beginEmpty) },
  };
}

window.ui = SwaggerUIBundle({
  url: new URL("../openapi.yaml", document.currentScript.src).href, // under whatever prefix a proxy publishes it
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [emptyOptionalParameters],
  validatorUrl: null, // the default asks a public server
});

"use strict";

window.ui = SwaggerUIBundle({
  url: new URL("../openapi.yaml", document.currentScript.src).href, // under whatever prefix a proxy publishes it
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  presets: [SwaggerUIBundle.presets.apis],
  validatorUrl: null, // the default asks a public server
});

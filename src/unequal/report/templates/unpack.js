"use strict";
// The scripts of a small page, compressed; they run in their order once they are unpacked.
(async () => {
  try {
    const bytes = Uint8Array.from(atob(document.getElementById("packed").textContent), (one) => one.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    for (const { type, id, text } of JSON.parse(await new Response(plain).text())) {
      const script = document.createElement("script");
      if (type) script.type = type;
      if (id) script.id = id;
      script.textContent = text;
      document.body.append(script);
    }
  } catch (error) {
    for (const place of document.querySelectorAll(".chart")) place.textContent = "This page needs a browser of 2023 or later: " + error.message;
  }
})();

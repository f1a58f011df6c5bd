fetch("/healthz")
  .then((answer) => answer.json())
  .then((health) => { document.getElementById("version").textContent = health.version; });

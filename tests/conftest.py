"""Its being here lets the tests below import the stand-ins that lie beside it."""

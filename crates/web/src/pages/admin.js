"use strict";
// The administrators' pages work without this.

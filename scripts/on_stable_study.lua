-- For Orthanc: hand each chest scan to `pneumoscreen receive` once it is complete.
--
-- In orthanc.json:
--   "LuaScripts": ["/etc/orthanc/on_stable_study.lua"],
--   "StableAge": 60,
--   "DicomModalities": {"pneumoscreen": ["PNEUMOSCREEN", "127.0.0.1", 11112]}
--
-- `pneumoscreen receive` has to allow Orthanc's AE title (--allow ORTHANC).

local RECEIVER = 'pneumoscreen'
local WANTED = {CT = true, CR = true, DX = true}
local MADE_BY = 'PneumoScreen'

function OnStableStudy(studyId, tags, metadata)
  local study = ParseJson(RestApiGet('/studies/' .. studyId))
  local wanted = {}
  for _, seriesId in pairs(study['Series']) do
    local series = ParseJson(RestApiGet('/series/' .. seriesId))
    local of = series['MainDicomTags']
    -- The results that came back make the study stable once more: it is done with.
    if of['Manufacturer'] == MADE_BY then
      return
    end
    if WANTED[of['Modality']] then
      table.insert(wanted, seriesId)
    end
  end
  if #wanted > 0 then
    -- One association and one job, which Orthanc lists under /jobs and lets you send once more where it failed.
    local order = {Resources = wanted, Asynchronous = true}
    RestApiPost('/modalities/' .. RECEIVER .. '/store', DumpJson(order, true))
  end
end
